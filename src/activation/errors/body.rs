//! [`Errors`] and [`Standing`] as bytes.
//!
//! One rule: as in `record::bodies`, a layout never changes, and a new field is the last line of `write` and of
//! `read`.

use super::{Errors, Standing};
use crate::activation::HourlyWindow;
use crate::activation::codec::{Damaged, Reader, Writer};
use crate::activation::record::{Part, read_window, write_window};
use std::collections::BTreeMap;

impl Part for Errors {
    fn write(&self, body: &mut Writer) {
        body.number(self.met.len() as u64);
        for (place, window) in &self.met {
            body.number(*place);
            write_window(window, body);
        }
        body.option(self.last);
        write_window(&self.fixes_attempted, body);
        write_window(&self.fixes_succeeded, body);
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let mut met = BTreeMap::new();
        for _ in 0..body.number()? {
            let (place, mut window) = (body.number()?, HourlyWindow::default());
            read_window(&mut window, body)?;
            if met.insert(place, window).is_some() {
                return Err(Damaged);
            }
        }
        let mut errors = Self { met, last: body.option()?, ..Self::default() };
        read_window(&mut errors.fixes_attempted, body)?;
        read_window(&mut errors.fixes_succeeded, body)?;
        Ok(errors)
    }
}

impl Standing {
    /// Adds them to a live mark.
    pub(in crate::activation) fn add_to(&self, mark: &mut Writer) {
        mark.add(!self.0.is_empty(), |body| {
            body.number(self.0.len() as u64);
            self.0.iter().for_each(|(place, servers)| body.numbers([*place, *servers]));
        });
    }

    /// The inverse of [`Self::add_to`].
    pub(in crate::activation) fn added_to(mark: &mut Reader<'_>) -> Result<Self, Damaged> {
        mark.added(|body| {
            let mut all = BTreeMap::new();
            for _ in 0..body.number()? {
                let [place, servers] = body.numbers()?;
                all.insert(place, servers);
            }
            Ok(Self(all))
        })
    }
}
