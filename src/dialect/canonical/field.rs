//! The same field under each dialect's name.
//!
//! In: a meaning. Out: the word its caller knows (dialects.md, section 2, read 2026-11-22). Must not know: values.

use crate::dialect::Dialect;

/// What a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The list of messages.
    Turns,
    /// Instructions.
    System,
    /// Functions.
    Tools,
    /// Whether one must be called.
    ToolChoice,
    /// At most one call.
    OneCall,
    /// The shape of the answer.
    Format,
    /// Most tokens of the answer.
    MaxOutput,
    /// Randomness.
    Temperature,
    /// Randomness.
    TopP,
    /// Randomness.
    TopK,
    /// Repetition.
    FrequencyPenalty,
    /// Repetition.
    PresencePenalty,
    /// Repeatability.
    Seed,
    /// Texts that end the answer.
    Stop,
    /// How many answers.
    Choices,
    /// How much to think.
    Thinking,
    /// How many words to make.
    Verbosity,
    /// The end user.
    User,
}

impl Field {
    /// Its name in a dialect.
    pub const fn of(self, dialect: Dialect) -> &'static str {
        let [chat, responses, messages, gemini] = self.names();
        match dialect {
            Dialect::Chat | Dialect::Embeddings => chat,
            Dialect::Responses => responses,
            Dialect::Messages => messages,
            // Converse is written, never read: nobody who knows its names is told about them.
            Dialect::Gemini | Dialect::Converse => gemini,
        }
    }

    /// Chat Completions, Responses, Messages, Gemini. A dialect without the field has the nearest place.
    const fn names(self) -> [&'static str; 4] {
        match self {
            Self::Turns => ["messages", "input", "messages", "contents"],
            Self::System => ["messages", "instructions", "system", "systemInstruction"],
            Self::Tools => ["tools", "tools", "tools", "tools"],
            Self::ToolChoice => ["tool_choice", "tool_choice", "tool_choice", "toolConfig"],
            Self::OneCall => {
                ["parallel_tool_calls", "parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "toolConfig"]
            }
            Self::Format => {
                ["response_format", "text.format", "output_config.format", "generationConfig.responseJsonSchema"]
            }
            Self::MaxOutput => {
                ["max_completion_tokens", "max_output_tokens", "max_tokens", "generationConfig.maxOutputTokens"]
            }
            Self::Temperature => ["temperature", "temperature", "temperature", "generationConfig.temperature"],
            Self::TopP => ["top_p", "top_p", "top_p", "generationConfig.topP"],
            Self::TopK => ["top_k", "top_k", "top_k", "generationConfig.topK"],
            Self::FrequencyPenalty => {
                ["frequency_penalty", "frequency_penalty", "frequency_penalty", "generationConfig.frequencyPenalty"]
            }
            Self::PresencePenalty => {
                ["presence_penalty", "presence_penalty", "presence_penalty", "generationConfig.presencePenalty"]
            }
            Self::Seed => ["seed", "seed", "seed", "generationConfig.seed"],
            Self::Stop => ["stop", "stop", "stop_sequences", "generationConfig.stopSequences"],
            Self::Choices => ["n", "n", "n", "generationConfig.candidateCount"],
            Self::Thinking => ["reasoning_effort", "reasoning.effort", "thinking", "generationConfig.thinkingConfig"],
            Self::Verbosity => ["verbosity", "text.verbosity", "verbosity", "verbosity"],
            Self::User => ["user", "user", "metadata.user_id", "labels"],
        }
    }
}
