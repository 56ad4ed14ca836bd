//! The products whose installs are counted in a data directory: who they are, where their state lies.
//!
//! One rule: no two products, and no two endpoint hosts of one product, have anything in common that leaves
//! this machine.

mod enter;
mod listing;
#[cfg(any(feature = "record", feature = "tap"))]
pub mod told;

pub use enter::{EnterError, MOST_HOSTS, MOST_PRODUCTS, enter};
pub use listing::{Listed, directories, list, newest};

use crate::build_info;
use crate::consent::Target;
use crate::contract::Product;
use crate::contract::product::{NameError, OWN_PRODUCT};
use crate::environment::{Surroundings, names};
use crate::gate;
use crate::paths::{DataDir, Place};

/// What a host says about the product that it belongs to, as it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostProduct {
    /// Its name: that of the package, such as `notes-mcp` or `@scope/name`.
    pub name: String,
    /// Its version. One that does not fit the contract is sent as its `N.N.N-dev`.
    pub version: String,
    /// Where its heartbeats go, unless the user names another place; `None` for the endpoint of the build.
    pub endpoint: Option<String>,
    /// Nothing is sent before a person could see the notice.
    pub require_visible_notice: bool,
}

impl HostProduct {
    /// The product that was named when this program was built.
    pub fn of_this_build() -> Option<Self> {
        Some(Self {
            name: build_info::PRODUCT?.to_owned(),
            version: build_info::PRODUCT_VERSION.unwrap_or_default().to_owned(),
            ..Self::default()
        })
    }

    /// What was said on the command line, else in this process's own environment, else when this program
    /// was built; `None` when no product is named.
    pub fn said(
        name: Option<String>,
        version: Option<String>,
        around: &Surroundings,
    ) -> Option<Self> {
        let [of_name, of_version] = names::OF_PRODUCTS.map(|variable| {
            around.own(variable).filter(|value| !value.is_empty()).map(str::to_owned)
        });
        let version = version.or(of_version);
        let Some(name) = name.or(of_name) else {
            // The version of the build is that of its product and of no other.
            let built = Self::of_this_build()?;
            return Some(Self { version: version.unwrap_or(built.version), ..built });
        };
        Some(Self { name, version: version.unwrap_or_default(), ..Self::default() })
    }
}

/// One product in one data directory, and where its host sends to: what everything else is decided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The data directory.
    pub dir: DataDir,
    /// The product, as it is sent.
    pub product: Product,
    /// The endpoint that a host named. The user's word comes before it.
    pub endpoint: Option<String>,
    /// Nothing is sent before a person could see the notice.
    pub require_visible_notice: bool,
}

impl Subject {
    /// Our own product: the gateway, and every host that names no other.
    pub fn own(dir: DataDir) -> Self {
        Self {
            dir,
            product: Product::own(build_info::VERSION),
            endpoint: None,
            require_visible_notice: build_info::REQUIRE_VISIBLE_NOTICE,
        }
    }

    /// The product that a host belongs to.
    pub fn of_host(dir: DataDir, said: Option<&HostProduct>) -> Result<Self, NameError> {
        let Some(said) = said else { return Ok(Self::own(dir)) };
        Ok(Self {
            dir,
            product: Product {
                name: gate::product_name(&said.name)?,
                version: gate::product_version(&said.version),
            },
            endpoint: said.endpoint.clone(),
            require_visible_notice: said.require_visible_notice
                || build_info::REQUIRE_VISIBLE_NOTICE,
        })
    }

    /// A product as its newest host left it: for commands, which are told a name and nothing else. `None`
    /// when no host of such a product ever started here.
    pub fn known(dir: &DataDir, name: &str) -> Option<Self> {
        if name == OWN_PRODUCT {
            return Some(Self::own(dir.clone()));
        }
        newest(dir, name).map(|listed| listed.subject())
    }

    /// Where its state lies when it sends to `target`.
    pub fn place(&self, target: Option<&Target>) -> Place {
        let host = target.map(Target::authority).unwrap_or_default();
        self.dir.place(&self.product.name, &host)
    }

    /// Whether it is our own product.
    pub fn is_own(&self) -> bool {
        self.product.name == OWN_PRODUCT
    }
}
