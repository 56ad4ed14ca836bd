//! The variables of a process and its ancestors, as data.
//!
//! One rule: nothing here reads an environment; [`crate::machine`] does.

use std::fmt;

/// One environment variable of interest.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// 0 for this process, n for its n-th same-user ancestor.
    pub origin: usize,
    /// Its name.
    pub name: String,
    /// Its value; what is not UTF-8 in it is replaced. Of a variable that only classification asks for, the word
    /// that [`super::names::reduced`] keeps of it. Never logged, never in an error.
    pub value: String,
}

/// Without the value: a failed assertion or a stray `dbg!` must not print it.
impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variable")
            .field("origin", &self.origin)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Variables of interest of this process and its ancestors (initial environments, at most 8
/// same-user ancestors), reduced to a fixed list of names while reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// In order of origin.
    pub variables: Vec<Variable>,
    /// Whether this system lets ancestors' environments be read.
    pub ancestors_readable: bool,
    /// The nearest process with a controlling terminal: 0 for this one, n for its n-th ancestor.
    pub terminal: Option<usize>,
}

impl Surroundings {
    /// This process's own value of `name`.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|v| v.origin == 0 && v.name == name).map(|v| v.value.as_str())
    }

    /// The value nearest to this process: its own, else its nearest ancestor's.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|v| v.name == name).map(|v| v.value.as_str())
    }

    /// Every occurrence of `name`, nearest first.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Variable> {
        self.variables.iter().filter(move |v| v.name == name)
    }
}
