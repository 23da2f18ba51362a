//! A row with `*` is proven: it passes exactly when every single value passes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use wayside::catalog::Catalog;
use wayside::policy::check::{Settings, check};
use wayside::policy::prove::Options;
use wayside::policy::test::Prover;
use wayside::rehearse::{self, Ran};

use crate::policies::{Memory, TODAY};

const PLANS: [&str; 3] = ["free", "pro", "enterprise"];
const FEATURES: [&str; 4] = ["none", "chatting", "summarize", "tagging"];
const CHANNELS: [&str; 2] = ["chat", "email"];
/// Every value near the ends that the rules below can name.
const SIZES: [u64; 9] = [0, 999, 1000, 1999, 2000, 2999, 3000, 3999, 4000];
const ANY: &str = "*";

/// Numbers that look random and repeat.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn one<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
}

fn test(dice: &mut Dice) -> String {
    let not = if dice.roll(3) == 0 { "not " } else { "" };
    let size = (1 + dice.roll(4)) * 1000;
    match dice.roll(5) {
        0 => format!("plan is {not}{}", dice.one(&PLANS)),
        1 => format!("feature is {not}{}", dice.one(&FEATURES)),
        2 => format!("channel is {not}{}", dice.one(&CHANNELS)),
        3 => format!("prompt_tokens >= {size}"),
        _ => format!("prompt_tokens < {size}"),
    }
}

fn policy(dice: &mut Dice) -> String {
    let mut text =
        "route 1\npolicy p { max_prompt 4k }\nplans [free, pro, enterprise]\nfeature chatting { stakes low }\n\
        feature summarize { stakes low }\nfeature tagging { stakes low }\ntenant acme { plan pro }\n\
        attribute channel is one of [chat, email], default chat\n"
            .to_owned();
    for rule in 0..2 + dice.roll(4) {
        let tests: Vec<String> = (0..1 + dice.roll(3)).map(|_| test(dice)).collect();
        let word = if dice.roll(2) == 0 { " and " } else { " or " };
        writeln!(text, "rule r{rule} {{\n  when {}\n  reject 40{rule}\n}}", tests.join(word)).unwrap();
    }
    text + "otherwise {\n  reject 499\n}\n"
}

fn row(values: &[String], rule: &str) -> String {
    format!("    {} -> {rule}\n", values.join(" "))
}

/// Runs one table over the policy; dead rules and the like are none of its business.
fn run(policy: &str, rows: &str) -> Vec<Ran> {
    let text =
        format!("{policy}test \"t\" {{\n  table plan, feature, channel, prompt_tokens -> rule {{\n{rows}  }}\n}}\n");
    let catalog = Arc::new(Catalog::embedded());
    let files = Memory(BTreeMap::from([("p.route", text)]));
    let settings = Settings { allow: ["R401", "R402"].map(str::to_owned).to_vec(), ..Settings::on(TODAY) };
    let report = check("p.route", &files, &catalog, &settings);
    let Some(tested) = &report.tested else { return Vec::new() };
    let mut prover = || Prover::new(&tested.tree, &catalog, Options::default());
    rehearse::run(&tested.tree, &tested.tests, &mut prover, &report.sources)
}

#[test]
fn a_row_with_any_value_passes_exactly_when_every_value_does() {
    let (mut held, mut failed) = (0, 0);
    for seed in 0..120 {
        let dice = &mut Dice(seed);
        let policy = policy(dice);
        let sizes: Vec<String> = SIZES.iter().map(ToString::to_string).collect();
        let columns: [Vec<String>; 4] = [
            PLANS.map(str::to_owned).to_vec(),
            FEATURES.map(str::to_owned).to_vec(),
            CHANNELS.map(str::to_owned).to_vec(),
            sizes,
        ];
        let starred: Vec<bool> = (0..4).map(|_| dice.roll(2) == 0).collect();
        let fixed: Vec<String> = columns.iter().map(|values| values[dice.roll(values.len())].clone()).collect();
        let values: Vec<Vec<String>> =
            (0..4).map(|at| if starred[at] { columns[at].clone() } else { vec![fixed[at].clone()] }).collect();
        let cells: Vec<String> =
            (0..4).map(|at| if starred[at] { ANY.to_owned() } else { fixed[at].clone() }).collect();
        // The rule that decides one of the requests is the likeliest to decide them all.
        let probe = run(&policy, &row(&fixed, "otherwise"));
        let Some(probe) = probe.first() else { continue };
        let decides = probe.checks[0].actual.to_string();
        let each = values.iter().fold(vec![Vec::new()], |rows: Vec<Vec<String>>, column| {
            rows.iter().flat_map(|row| column.iter().map(|value| [row.clone(), vec![value.clone()]].concat())).collect()
        });
        let brute = run(&policy, &each.iter().map(|values| row(values, &decides)).collect::<String>());
        assert_eq!(brute.len(), each.len());
        let expected = brute.iter().all(Ran::passed);
        let proven = run(&policy, &row(&cells, &decides));
        assert_eq!(proven[0].passed(), expected, "seed {seed}, {cells:?} -> {decides}\n{policy}{:#?}", proven[0]);
        assert!(proven[0].faults.is_empty(), "{:?}", proven[0].faults);
        if expected {
            held += 1;
        } else {
            failed += 1;
        }
    }
    assert!(held >= 15 && failed >= 15, "{held} held, {failed} failed");
}
