//! Names of grammar rules to the author's words.
//!
//! In: the rules pest would have accepted at a place. Out: `"a model such as openai/gpt-5.4-2026-03-05"`. Must not know: which
//! statement it was. The match is exhaustive, so a new rule does not compile without its word.

use super::grammar::Rule;

/// How a rule is called in a message; `None` when it is never worth offering.
// Longer than a screen: one exhaustive table.
pub(super) const fn word(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::EOI => "the end of the line",
        Rule::open => "`{`",
        Rule::close => "`}`",
        Rule::equals => "`=`",
        Rule::arrow => "`->`",
        Rule::close_paren => "`)`",
        Rule::close_list => "`,` or `]`",
        Rule::cond | Rule::and_expr | Rule::not_expr | Rule::test | Rule::paren => "a test such as `plan is free`",
        Rule::subject => "a subject such as `plan`",
        Rule::relation => "`is`, `in`, `has`, `like` or a comparison",
        Rule::set => "a list, a range or the name of a group",
        Rule::atom => "a value",
        Rule::names => "a name or a list in `[ ]`",
        Rule::list => "a list in `[ ]`",
        Rule::name | Rule::kind => "a name",
        Rule::key => "a word",
        Rule::word => "a word",
        Rule::model_ref | Rule::provider | Rule::model_id | Rule::member => {
            "a model such as `openai/gpt-5.4-2026-03-05`"
        }
        Rule::quantity | Rule::number => "a number",
        Rule::money => "an amount such as `$20`",
        Rule::unit => "a unit: `ms s m h d k M` or `%`",
        Rule::int => "a whole number",
        Rule::range | Rule::bound => "a range such as `4k..16k`",
        Rule::time => "a time such as `22:00`",
        Rule::date => "a date such as `2026-12-11`",
        Rule::string | Rule::chars => "text in quotes",
        Rule::cmp_word => "a comparison: `< <= > >=`",
        Rule::any_mark => "`*`",
        Rule::row | Rule::cells => "a row: cells, `->`, cells",
        Rule::columns => "column names",
        Rule::attr_type => "`one of [..]`, `number 0..100`, `yes or no` or `text`",
        Rule::attr_opt => "`from header \"..\"` or `default VALUE`",
        Rule::hop_ref => "a model such as `openai/gpt-5.4-2026-03-05`, `tier NAME` or `requested`",
        Rule::hop_opt => "an option: `timeout first_token idle retry on in max_output hedge`",
        Rule::order => "`cheapest`, `fastest` or `in order`",
        Rule::intent => "`peer`, `lower` or `higher`",
        Rule::degrade_to => "`template NAME`, `cached`, `queue NAME` or `error N`",
        Rule::shadow_opt => "`keep D`, `budget NAME` or `scored by NAME`",
        Rule::given_fact => "what is given",
        Rule::from_kw => "`evals` or `tenants`",
        Rule::group_kw => "`group` or `residency`",
        Rule::cond_key => "`covers`, `where`, `for` or `.. when`",
        Rule::KW_AFTER => "`after`",
        Rule::KW_AND => "`and`",
        Rule::KW_AS => "`as`",
        Rule::KW_AT => "`at`",
        Rule::KW_ATTRIBUTE => "`attribute`",
        Rule::KW_BACKOFF => "`backoff`",
        Rule::KW_BECAUSE => "`because`",
        Rule::KW_BUDGET => "`budget`",
        Rule::KW_BY => "`by`",
        Rule::KW_CACHE => "`cache`",
        Rule::KW_CACHED => "`cached`",
        Rule::KW_CANDIDATE => "`candidate`",
        Rule::KW_CHEAPEST => "`cheapest`",
        Rule::KW_CLAIM => "`claim`",
        Rule::KW_COMPLETE => "`complete`",
        Rule::KW_CUT => "`cut`",
        Rule::KW_CUTS => "`cuts`",
        Rule::KW_DEFAULT => "`default`",
        Rule::KW_DEFINE => "`define`",
        Rule::KW_DEGRADE => "`degrade`",
        Rule::KW_ERROR => "`error`",
        Rule::KW_ERRORS => "`errors`",
        Rule::KW_EVAL => "`eval`",
        Rule::KW_EXACT => "`exact`",
        Rule::KW_EXPECT => "`expect`",
        Rule::KW_FALLBACK => "`fallback`",
        Rule::KW_FASTEST => "`fastest`",
        Rule::KW_FIRST_TOKEN => "`first_token`",
        Rule::KW_FOR => "`for`",
        Rule::KW_FROM => "`from`",
        Rule::KW_GIVEN => "`given`",
        Rule::KW_GIVES => "`gives`",
        Rule::KW_GUARD => "`guard`",
        Rule::KW_HAS => "`has`",
        Rule::KW_HEADER => "`header`",
        Rule::KW_HEDGE => "`hedge`",
        Rule::KW_HIGHER => "`higher`",
        Rule::KW_HOLD => "`hold`",
        Rule::KW_IDLE => "`idle`",
        Rule::KW_IN => "`in`",
        Rule::KW_IS => "`is`",
        Rule::KW_KEEP => "`keep`",
        Rule::KW_LADDER => "`ladder`",
        Rule::KW_LIKE => "`like`",
        Rule::KW_LOWER => "`lower`",
        Rule::KW_MAX_OUTPUT => "`max_output`",
        Rule::KW_METADATA => "`metadata`",
        Rule::KW_NO => "`no`",
        Rule::KW_NOT => "`not`",
        Rule::KW_NOW => "`now`",
        Rule::KW_NUMBER => "`number`",
        Rule::KW_OF => "`of`",
        Rule::KW_ON => "`on`",
        Rule::KW_ONE => "`one`",
        Rule::KW_OR => "`or`",
        Rule::KW_ORDER => "`order`",
        Rule::KW_OTHERWISE => "`otherwise`",
        Rule::KW_P95 => "`p95`",
        Rule::KW_PEER => "`peer`",
        Rule::KW_PER => "`per`",
        Rule::KW_PLANS => "`plans`",
        Rule::KW_PROPERTY => "`property`",
        Rule::KW_QUEUE => "`queue`",
        Rule::KW_REJECT => "`reject`",
        Rule::KW_REQUEST => "`request`",
        Rule::KW_REQUESTED => "`requested`",
        Rule::KW_REQUIRES => "`requires`",
        Rule::KW_RESUME => "`resume`",
        Rule::KW_RETRY => "`retry`",
        Rule::KW_ROLLOUT => "`rollout`",
        Rule::KW_ROUTE => "`route`",
        Rule::KW_RULE => "`rule`",
        Rule::KW_SCORED => "`scored`",
        Rule::KW_SEMANTIC => "`semantic`",
        Rule::KW_SHADOW => "`shadow`",
        Rule::KW_SNAPSHOT => "`snapshot`",
        Rule::KW_SPECIALIZED => "`specialized`",
        Rule::KW_TABLE => "`table`",
        Rule::KW_TEMPLATE => "`template`",
        Rule::KW_TEST => "`test`",
        Rule::KW_TEXT => "`text`",
        Rule::KW_TIER => "`tier`",
        Rule::KW_TIMEOUT => "`timeout`",
        Rule::KW_TO => "`to`",
        Rule::KW_TOKENS => "`tokens`",
        Rule::KW_UP => "`up`",
        Rule::KW_USE => "`use`",
        Rule::KW_WHEN => "`when`",
        Rule::KW_WITHIN => "`within`",
        Rule::KW_YES => "`yes`",
        // Structure, recovery, other languages: nothing an author would be told to write.
        Rule::WHITESPACE
        | Rule::COMMENT
        | Rule::NL
        | Rule::SEP
        | Rule::piece
        | Rule::item
        | Rule::line_item
        | Rule::block_item
        | Rule::item_end
        | Rule::trailing
        | Rule::junk
        | Rule::bad_item
        | Rule::version
        | Rule::use_item
        | Rule::from_item
        | Rule::names_item
        | Rule::define_item
        | Rule::attribute_item
        | Rule::group_item
        | Rule::template_item
        | Rule::ladder_item
        | Rule::rule_item
        | Rule::otherwise_item
        | Rule::decl_item
        | Rule::item_kw
        | Rule::tier_item
        | Rule::tier_body
        | Rule::tier_line
        | Rule::tier_kw
        | Rule::requires_stmt
        | Rule::rule_body
        | Rule::rule_line
        | Rule::rule_stmt
        | Rule::rule_kw
        | Rule::stop
        | Rule::when_stmt
        | Rule::because_stmt
        | Rule::tier_stmt
        | Rule::snapshot_stmt
        | Rule::fallback_stmt
        | Rule::ladder_stmt
        | Rule::degrade_stmt
        | Rule::reject_stmt
        | Rule::cache_stmt
        | Rule::shadow_stmt
        | Rule::guard_stmt
        | Rule::hold_stmt
        | Rule::cut_stmt
        | Rule::bad_stmt
        | Rule::bad_part
        | Rule::bad_list
        | Rule::bad_block
        | Rule::bad_paren
        | Rule::test_kw
        | Rule::loose_string
        | Rule::block
        | Rule::block_line
        | Rule::cond_setting
        | Rule::setting
        | Rule::value
        | Rule::or_op
        | Rule::and_op
        | Rule::not_op
        | Rule::cond_word
        | Rule::foreign_is
        | Rule::foreign_is_not
        | Rule::foreign_and
        | Rule::foreign_or
        | Rule::foreign_not
        | Rule::given_item
        | Rule::given_who
        | Rule::test_item
        | Rule::test_body
        | Rule::test_line
        | Rule::request_stmt
        | Rule::request_body
        | Rule::request_line
        | Rule::expect_stmt
        | Rule::table_stmt
        | Rule::table_body
        | Rule::table_line
        | Rule::cell
        | Rule::property_item
        | Rule::list_item
        | Rule::digits
        | Rule::ident
        | Rule::idc
        | Rule::strict_version
        | Rule::strict_use
        | Rule::strict_from
        | Rule::strict_names
        | Rule::strict_define
        | Rule::strict_attribute
        | Rule::strict_group
        | Rule::strict_template
        | Rule::strict_given
        | Rule::strict_tier
        | Rule::strict_ladder
        | Rule::strict_rule
        | Rule::strict_otherwise
        | Rule::strict_test
        | Rule::strict_property
        | Rule::strict_decl
        | Rule::strict_nameless
        | Rule::strict_attr_opt
        | Rule::strict_member
        | Rule::strict_requires
        | Rule::strict_when
        | Rule::strict_because
        | Rule::strict_tier_stmt
        | Rule::strict_snapshot
        | Rule::strict_fallback
        | Rule::strict_ladder_stmt
        | Rule::strict_degrade
        | Rule::strict_reject
        | Rule::strict_cache
        | Rule::strict_shadow
        | Rule::strict_guard
        | Rule::strict_hold
        | Rule::strict_cut
        | Rule::strict_cond_setting
        | Rule::strict_setting
        | Rule::strict_hop_opt
        | Rule::strict_request
        | Rule::strict_expect
        | Rule::strict_table
        | Rule::strict_row
        | Rule::prefix_stmt => return None,
    })
}

/// Literals of section 2: where most of them are possible, the word is "a value".
const fn is_literal(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::range
            | Rule::bound
            | Rule::date
            | Rule::time
            | Rule::quantity
            | Rule::number
            | Rule::money
            | Rule::model_ref
            | Rule::provider
            | Rule::string
            | Rule::word
            | Rule::list
    )
}

/// How many alternatives a message lists before it stops being read.
const MAX_OFFERED: usize = 6;

/// "`and`, `or` or the end of the line". `before` is the word the place stands behind: it says what a number there measures.
pub(super) fn expected(rules: &[Rule], before: &str) -> String {
    let measured = rules.contains(&Rule::quantity);
    let given = rules.contains(&Rule::KW_GIVES);
    let literals = rules.iter().filter(|rule| is_literal(**rule)).count();
    let mut words: Vec<&str> = vec![];
    for rule in rules {
        let word = match rule {
            _ if literals > 2 && is_literal(*rule) => Some("a value"),
            // A number may always have a unit; that is worth saying only when nothing else can follow.
            Rule::unit if rules.len() > 1 => None,
            Rule::relation | Rule::date if given => None,
            Rule::quantity => Some(measure(before)),
            Rule::number | Rule::money if measured => None,
            _ => word(*rule),
        };
        words.extend(word.filter(|word| !words.contains(word)));
    }
    // The end of the line is always possible where anything else is optional, and the least interesting.
    words.sort_by_key(|word| (*word == "the end of the line", word.starts_with("an option")));
    words.truncate(MAX_OFFERED);
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
    }
}

/// What a number behind that word says.
fn measure(before: &str) -> &'static str {
    match before {
        "timeout" | "first_token" | "idle" | "backoff" | "within" | "for" | "keep" => "a duration such as `10s`",
        "shadow" | "at" => "a share such as `2%`",
        "retry" => "how often, as in `retry 2`",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_read_as_a_sentence() {
        assert_eq!(expected(&[Rule::EOI, Rule::KW_AND, Rule::KW_OR], "free"), "`and`, `or` or the end of the line");
        assert_eq!(expected(&[Rule::date, Rule::time, Rule::string], "is"), "a value");
        assert_eq!(expected(&[Rule::bad_stmt], ""), "");
    }
}
