//! A set of one file, held in memory.

use wayside::policy::resolve::Files;

/// The text of `one.route`; there is no other file.
pub struct One(pub String);

impl Files for One {
    fn read(&self, path: &str) -> Result<String, String> {
        if path == "one.route" { Ok(self.0.clone()) } else { Err("no such file".into()) }
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}
