#!/bin/sh
# Two dialects crossed, both streaming: each caller is answered in its own, by a model of the other provider.
#
#   wayside demo                                  # needs no keys; it prints where it listens
#   sh examples/crossing.sh http://127.0.0.1:PORT
#
# The demo's policy, policies/demo.route, sends a paying tenant to Anthropic, and tags to OpenAI.
set -eu
proxy=${1:?the address of the proxy}

echo "# An OpenAI body, answered by an Anthropic model"
curl -sSN "$proxy/v1/chat/completions" -H 'content-type: application/json' -H 'x-wayside-tenant: acme' -d '{
  "model": "gpt-5.4", "stream": true, "messages": [{"role": "user", "content": "Say something short."}]
}'

echo "# An Anthropic body, answered by an OpenAI model"
curl -sSN "$proxy/v1/messages" -H 'content-type: application/json' -H 'x-wayside-tenant: acme' -H 'x-wayside-feature: auto_tag' -d '{
  "model": "claude-sonnet-5", "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "Say something short."}]
}'
