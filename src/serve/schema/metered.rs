//! An answer that can be looked at so many times and no more: what bounds the time, the memory and the stack that a caller's schema
//! takes.
//!
//! In: a parsed answer, what may be spent. Out: what the validator says of it, or nothing. Must not know: schemas, what is asked for.
//!
//! A schema of two kilobytes can ask for 2^24 looks at one number, or for thousands of calls inside each other, and the validator
//! has no limits of its own. Its steps look at the answer, so looks are counted, and the one too many unwinds out of the validator.

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, SerdeJson};
use serde_json::{Map, Number, Value};

/// Bytes of a string that are read in about the time of a look.
const BYTES_A_LOOK: usize = 16;

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Looks at the answer.
    pub looks: usize,
    /// Bytes of stack.
    pub stack: usize,
}

thread_local! {
    /// What is left.
    static LOOKS: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Where the stack ends, which grows toward lower addresses.
    static FLOOR: Cell<usize> = const { Cell::new(0) };
}

/// What unwinds.
struct Spent;

/// What `judge` says, or `None` if it spends more than that on a [`Metered`] answer. What is spent here is not taken from an
/// allowance around it, but for the stack.
pub fn within<T>(allowance: Allowance, judge: impl FnOnce() -> T) -> Option<T> {
    let looks = LOOKS.replace(allowance.looks);
    let floor = FLOOR.get();
    FLOOR.set(floor.max(here().saturating_sub(allowance.stack)));
    let told = catch_unwind(AssertUnwindSafe(judge));
    LOOKS.set(looks);
    FLOOR.set(floor);
    match told {
        Ok(told) => Some(told),
        Err(why) if why.is::<Spent>() => None,
        Err(why) => resume_unwind(why),
    }
}

/// About where the stack is.
#[inline(always)]
fn here() -> usize {
    let mark = 0_u8;
    std::ptr::from_ref(&mark).addr()
}

/// Unwinds unless so many bytes of stack are left.
pub fn need_stack(bytes: usize) {
    if here() < FLOOR.get().saturating_add(bytes) {
        resume_unwind(Box::new(Spent));
    }
}

/// Counts what is read around an answer.
pub fn read(bytes: usize) {
    look(bytes / BYTES_A_LOOK);
}

fn look(times: usize) {
    match LOOKS.get().checked_sub(times) {
        Some(left) if here() >= FLOOR.get() => LOOKS.set(left),
        _ => resume_unwind(Box::new(Spent)),
    }
}

/// A look at everything that is in a value.
fn look_through(value: &Value) {
    look(1);
    match value {
        Value::Array(items) => items.iter().for_each(look_through),
        Value::Object(members) => members.values().for_each(look_through),
        Value::String(string) => look(string.len() / BYTES_A_LOOK),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `serde_json`'s values, counted.
pub enum Metered {}

/// One of them.
#[derive(Clone, Copy)]
pub struct Seen<'a>(pub &'a Value);

impl Json for Metered {
    type Node<'a> = Seen<'a>;
    type PreparedKey = String;
    type StringBuffer = Value;

    const KEYS_PER_LOOKUP: usize = SerdeJson::KEYS_PER_LOOKUP;
    const ACYCLIC: bool = SerdeJson::ACYCLIC;

    fn prepare_key(key: &str) -> String {
        SerdeJson::prepare_key(key)
    }

    fn with_string_node<T>(buffer: &mut Value, string: &str, f: impl FnOnce(Seen<'_>) -> T) -> T {
        *buffer = Value::String(string.to_owned());
        f(Seen(buffer))
    }
}

impl<'a> Node<'a, Metered> for Seen<'a> {
    type Object = Members<'a>;
    type Array = Elements<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        look(1);
        self.0.as_object().map(Members)
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        look(1);
        self.0.as_array().map(|items| Elements(items))
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let string = self.0.as_str();
        look(1 + string.map_or(0, str::len) / BYTES_A_LOOK);
        string.map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        look(1);
        self.0.as_number()
    }

    fn as_boolean(&self) -> Option<bool> {
        look(1);
        self.0.as_bool()
    }

    fn is_null(&self) -> bool {
        look(1);
        self.0.is_null()
    }

    fn json_type(&self) -> JsonType {
        look(1);
        Node::<SerdeJson>::json_type(&self.0)
    }

    fn string_length(&self) -> Option<u64> {
        self.as_string()?;
        Node::<SerdeJson>::string_length(&self.0)
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        self.as_string()?;
        Node::<SerdeJson>::string_length_within(&self.0, min, max)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        look_through(self.0);
        Node::<SerdeJson>::equals_value(&self.0, expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        look(1);
        Cow::Borrowed(self.0)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        look(1);
        Node::<SerdeJson>::identity(&self.0)
    }
}

/// The members of an object.
pub struct Members<'a>(&'a Map<String, Value>);

impl<'a> Object<'a, Metered> for Members<'a> {
    type Node = Seen<'a>;
    type MemberName = Name<'a>;
    type MembersIter = MembersIter<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &String) -> Option<Seen<'a>> {
        look(1);
        Object::<SerdeJson>::get(&self.0, key).map(Seen)
    }

    fn members(&self) -> MembersIter<'a> {
        MembersIter(self.0.iter())
    }
}

/// One after the other.
pub struct MembersIter<'a>(serde_json::map::Iter<'a>);

impl<'a> Iterator for MembersIter<'a> {
    type Item = (Name<'a>, Seen<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        look(1);
        self.0.next().map(|(name, value)| (Name(name), Seen(value)))
    }
}

/// What a member is called. Each pattern for names reads it.
pub struct Name<'a>(&'a str);

impl AsRef<str> for Name<'_> {
    fn as_ref(&self) -> &str {
        look(1 + self.0.len() / BYTES_A_LOOK);
        self.0
    }
}

impl<'a> From<Name<'a>> for Cow<'a, str> {
    fn from(name: Name<'a>) -> Self {
        Cow::Borrowed(name.0)
    }
}

/// The elements of an array.
pub struct Elements<'a>(&'a [Value]);

impl<'a> Array<'a, Metered> for Elements<'a> {
    type Node = Seen<'a>;
    type ElementsIter = ElementsIter<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> ElementsIter<'a> {
        ElementsIter(self.0.iter())
    }

    fn is_unique(&self) -> bool {
        self.0.iter().for_each(look_through);
        Array::<SerdeJson>::is_unique(&self.0)
    }
}

/// One after the other.
pub struct ElementsIter<'a>(std::slice::Iter<'a, Value>);

impl<'a> Iterator for ElementsIter<'a> {
    type Item = Seen<'a>;

    fn next(&mut self) -> Option<Seen<'a>> {
        look(1);
        self.0.next().map(Seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonschema::json::conformance;

    const ENOUGH: Allowance = Allowance { looks: usize::MAX, stack: usize::MAX };

    fn looks(looks: usize) -> Allowance {
        Allowance { looks, ..ENOUGH }
    }

    #[test]
    fn a_counted_answer_is_read_as_any_other() {
        let document = conformance::document();
        within(ENOUGH, || conformance::assert_conformance::<Metered>(&Seen(&document))).unwrap();
    }

    #[test]
    fn so_many_looks_are_allowed_and_not_one_more() {
        let value = Value::Null;
        let look = |times: usize| (0..times).filter(|_| Seen(&value).is_null()).count();
        assert_eq!(within(looks(3), || look(3)), Some(3));
        assert_eq!(within(looks(3), || look(4)), None);
        assert_eq!(within(looks(3), || (look(2), within(looks(5), || look(5)), look(1))), Some((2, Some(5), 1)));
        assert_eq!(within(looks(3), || (within(looks(1), || look(2)), look(4))), None);
    }

    #[test]
    fn calls_inside_each_other_end_at_the_end_of_the_stack_allowed() {
        fn calls(depth: usize) -> usize {
            let room = std::hint::black_box([0_u8; 1 << 10]);
            Seen(&Value::Null).is_null();
            room.len() + if depth == 0 { 0 } else { calls(depth - 1) }
        }
        let stack = |stack| Allowance { stack, ..ENOUGH };
        assert_eq!(within(stack(64 << 10), || calls(7)), Some(8 << 10));
        assert_eq!(within(stack(64 << 10), || calls(64)), None);
        assert_eq!(within(stack(64 << 10), || within(ENOUGH, || calls(64))), Some(None), "there is one stack");
        assert_eq!(within(stack(64 << 10), || need_stack(60 << 10)), Some(()));
        assert_eq!(within(stack(64 << 10), || need_stack(65 << 10)), None);
    }

    #[test]
    fn what_is_long_is_many_looks() {
        let long = Value::String("x".repeat(BYTES_A_LOOK * 10));
        let list = Value::Array(vec![long.clone(); 10]);
        let object = Value::Object(Map::from_iter([("x".repeat(BYTES_A_LOOK * 10), Value::Null)]));
        let cases: [(&str, &dyn Fn()); 4] = [
            ("read", &|| assert!(Seen(&long).as_string().is_some())),
            ("compared", &|| assert!(Seen(&long).equals_value(&long))),
            ("unlike", &|| assert!(!Seen(&list).as_array().unwrap().is_unique())),
            ("named", &|| assert!(Seen(&object).as_object().unwrap().members().all(|(name, _)| name.as_ref() != "y"))),
        ];
        for (how, read) in cases {
            assert_eq!(within(looks(10), read), None, "{how}");
            assert_eq!(within(looks(1000), read), Some(()), "{how}");
        }
    }

    #[test]
    fn other_panics_go_on() {
        let told = catch_unwind(|| within(looks(1), || resume_unwind(Box::new("other"))));
        assert_eq!(told.unwrap_err().downcast_ref::<&str>(), Some(&"other"));
        assert_eq!((LOOKS.get(), FLOOR.get()), (usize::MAX, 0));
    }
}
