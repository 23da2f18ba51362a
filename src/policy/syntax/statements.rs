//! Which words begin a statement, where, and how the statement is written.
//!
//! In: section 3 of the specification, as tables. Out: what to offer for a word nobody knows. Must not know: pest.

/// First words of declarations.
pub(super) const DECLARATIONS: &[&str] = &[
    "route",
    "use",
    "evals",
    "tenants",
    "plans",
    "define",
    "attribute",
    "group",
    "residency",
    "tier",
    "template",
    "ladder",
    "rule",
    "otherwise",
    "test",
    "property",
    "given",
    "policy",
    "defaults",
    "tenant",
    "feature",
    "queue",
    "budget",
    "classifier",
    "switch",
    "signal",
    "judge",
    "guard",
    "rollout",
    "drill",
    "guarantee",
];

/// Declarations that have no name.
pub(super) const NAMELESS: &[&str] = &["policy", "defaults"];

/// Where a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// At top level.
    File,
    /// In a rule, a ladder or `otherwise`.
    Rule,
    /// Behind a hop, on its line.
    Hop,
    /// Behind the tier of a rule, on its line.
    Promise,
    /// In a tier.
    Tier,
    /// In a test.
    Test,
    /// In a `request`: attributes, judged later.
    Request,
    /// In any other block; its first word.
    Block(&'a str),
}

const RULE: &[&str] = &[
    "when",
    "because",
    "tier",
    "snapshot",
    "fallback",
    "ladder",
    "degrade",
    "reject",
    "no",
    "cache",
    "shadow",
    "guard",
    "hold",
    "on",
    "deadline",
    "timeout",
    "max_output",
    "in",
    "owner",
    "expires",
    "tag",
];
const HOP: &[&str] = &["timeout", "first_token", "idle", "retry", "on", "in", "max_output", "hedge"];
const PROMISE: &[&str] =
    &["cheapest", "fastest", "timeout", "first_token", "idle", "retry", "on", "in", "max_output", "hedge"];
const CLAUSES: &[&str] = &["for", "every", "never", "providers", "ends", "worst_cost", "worst_time", "guard", "same"];

/// The first words a statement may have there. Empty when every word is fine.
pub fn known(place: Place<'_>) -> &'static [&'static str] {
    match place {
        Place::File => DECLARATIONS,
        Place::Rule => RULE,
        Place::Hop => HOP,
        Place::Promise => PROMISE,
        Place::Tier => &["candidate", "requires"],
        Place::Test => &["given", "request", "expect", "table"],
        Place::Request => &[],
        Place::Block(kind) => block(kind),
    }
}

fn block(kind: &str) -> &'static [&'static str] {
    match kind {
        "policy" => &["owner", "timezone", "deadline", "max_prompt", "endpoints", "accept_undated"],
        "defaults" => &["timeout", "first_token", "idle", "retry", "on", "max_output", "hold", "stream_limit"],
        "feature" => &["stakes", "max_output", "deadline"],
        "tenant" => &["plan", "residency", "approved"],
        "queue" => &["staffed"],
        "budget" => &["covers", "limit", "each", "warn", "carry"],
        "classifier" => &["labels", "snapshot", "webhook", "timeout", "floor", "reads", "cache", "budget", "guard"],
        "switch" => &["default", "owner"],
        "signal" => &["on", "off", "probe"],
        "judge" => &["snapshot", "webhook", "rubric", "from", "sample", "timeout", "budget"],
        "guard" => &["redact", "block", "webhook", "timeout", "on"],
        "rollout" => {
            &["after", "replace", "with", "where", "by", "shadow", "budget", "scored", "stages", "hold", "halt"]
        }
        "drill" => &["pretend", "where", "share", "every", "expect"],
        "guarantee" => CLAUSES,
        "property" => {
            &["for", "every", "never", "providers", "ends", "worst_cost", "worst_time", "guard", "same", "matches"]
        }
        _ => &[],
    }
}

/// What a word of another tool is called here: the replacement, or why there is none.
pub(super) enum Ours {
    /// That word.
    Word(&'static str),
    /// An explanation that ends in something to type.
    Advice(&'static str),
}

/// Looks a word up that other tools use for something this language has, or refuses to have.
pub(super) fn of_other_tools(place: Place<'_>, word: &str) -> Option<Ours> {
    let ours = match (place, word) {
        (Place::Rule, "to" | "model" | "primary" | "target" | "use") => Ours::Word("snapshot"),
        (Place::Rule, "if" | "match" | "where" | "unless") => Ours::Word("when"),
        (Place::Rule, "failover" | "backup" | "secondary") => Ours::Word("fallback"),
        (Place::Rule, "deny" | "refuse") => Ours::Word("reject"),
        (Place::Rule, "reason" | "description" | "comment") => Ours::Word("because"),
        (Place::Rule, "alias") => Ours::Advice(
            "a model is an exact id, because an alias changes on an unknown day: write `snapshot PROVIDER/ID`",
        ),
        (Place::Rule | Place::File, "else" | "default") => {
            Ours::Advice("what is left over is decided by the last declaration: write `otherwise { … }`")
        }
        (Place::Rule | Place::File, "priority" | "weight") => {
            Ours::Advice("rules are read top to bottom and the first that matches decides: move the rule")
        }
        (Place::Rule, "then" | "otherwise" | "rule") => {
            Ours::Advice("a rule has one outcome: close this one with `}` and write another rule")
        }
        (Place::File, "model" | "models" | "alias" | "aliases") => {
            Ours::Advice("models are members of a tier: write `tier NAME { PROVIDER/ID }`")
        }
        (Place::File, "primary" | "to" | "snapshot" | "fallback" | "when" | "degrade" | "reject") => {
            Ours::Advice("this belongs in a rule: write `rule NAME { … }` around it")
        }
        (Place::File, "import" | "include") => Ours::Word("use"),
        (Place::File, "let" | "const") => Ours::Advice("a named condition is written `define NAME as CONDITION`"),
        (Place::File, "if") => Ours::Advice("a condition stands in a rule: write `rule NAME { when CONDITION … }`"),
        (Place::Tier, "model" | "snapshot" | "member") => {
            Ours::Advice("a tier lists its snapshots alone: write `PROVIDER/ID`")
        }
        _ => return None,
    };
    Some(ours)
}

/// How a statement is written, as something to type.
pub fn form(place: Place<'_>, word: &str) -> Option<&'static str> {
    let form = match (place, word) {
        (Place::File, "route") => "`route 1`",
        (Place::File, "use") => "`use \"models.route\"`",
        (Place::File, "evals") => "`evals from \"evals/*.json\"`",
        (Place::File, "tenants") => "`tenants from \"tenants.yaml\"`",
        (Place::File, "plans") => "`plans [free, pro]`",
        (Place::File, "define") => "`define NAME as plan is free and prompt_tokens >= 4k`",
        (Place::File, "attribute") => "`attribute NAME is one of [a, b], from header \"x-name\", default a`",
        (Place::File, "group") => "`group NAME = [a, b]`",
        (Place::File, "residency") => "`residency NAME = [eu-west, eu-central]`",
        (Place::File, "template") => "`template NAME \"text\"` or `template NAME from \"file\"`",
        (Place::File, "tier") => "`tier NAME {`",
        (Place::File, "ladder") => "`ladder NAME {`",
        (Place::File, "rule") => "`rule NAME {`",
        (Place::File, "otherwise") => "`otherwise {`",
        (Place::File, "test") => "`test \"what it shows\" {`",
        (Place::File, "property") => "`property \"what holds\" {`",
        (_, "given") => "`given budget NAME is spent`, `given PROVIDER is down` or `given now 2026-11-23 10:30`",
        (Place::Tier, "requires") => "`requires eval \"suite\" >= 90% within 180d`",
        (Place::Tier, _) => "`PROVIDER/ID` or `candidate PROVIDER/ID`",
        (Place::Rule, "when") => "`when plan is free and prompt_tokens < 4k`",
        (Place::Rule, "because") => "`because \"one sentence\"`",
        (Place::Rule, "tier") => "`tier NAME`, `tier NAME, cheapest` or `tier as requested`",
        (Place::Rule, "snapshot") => "`snapshot PROVIDER/ID, timeout 10s`",
        (Place::Rule, "fallback") => "`fallback peer PROVIDER/ID, timeout 10s` or `fallback lower tier NAME`",
        (Place::Rule, "ladder") => "`ladder NAME`",
        (Place::Rule, "degrade") => {
            "`degrade template NAME`, `degrade cached up to 24h`, `degrade queue NAME within 4h` or `degrade error 503 \"text\"`"
        }
        (Place::Rule, "reject") => "`reject 403 \"why\"`",
        (Place::Rule, "no") => "`no cache`",
        (Place::Rule, "cache") => "`cache exact for 1h per [tenant]` or `cache semantic 0.97 for 1h per [tenant]`",
        (Place::Rule, "shadow") => "`shadow 2% to PROVIDER/ID, keep 14d, budget NAME`",
        (Place::Rule, "guard") => "`guard NAME`",
        (Place::Rule, "hold") => "`hold first_token`, `hold 200 tokens` or `hold complete`",
        (Place::Rule, "on") => "`on cut error` or `on cut resume`",
        (Place::Hop, "timeout" | "first_token" | "idle") => "`timeout 10s`",
        (Place::Hop, "max_output") => "`max_output 1k`",
        (Place::Hop, "retry") => "`retry 2 on [rate_limit, overload] backoff 1s`",
        (Place::Hop, "hedge") => "`hedge after p95 up to 1`",
        (Place::Hop, "on") => "`on [default, refusal]`",
        (Place::Hop, "in") => "`in [eu-west, eu-central]`",
        (Place::Test, "request") => "`request { tenant NAME, prompt_tokens 2k }`",
        (Place::Test, "expect") => "`expect rule NAME`",
        (Place::Test, "table") => "`table plan, feature -> rule {`",
        _ => return None,
    };
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_declaration_knows_its_words() {
        for kind in DECLARATIONS {
            let line = matches!(
                *kind,
                "route"
                    | "use"
                    | "evals"
                    | "tenants"
                    | "plans"
                    | "define"
                    | "attribute"
                    | "group"
                    | "residency"
                    | "template"
                    | "given"
            );
            let own = matches!(*kind, "tier" | "ladder" | "rule" | "otherwise" | "test");
            assert_eq!(block(kind).is_empty(), line || own, "{kind}");
        }
    }
}
