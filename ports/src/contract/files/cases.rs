//! What the suites of the files share.

use crate::FaultKind;
use crate::contract::failed::{Failed, failed};

/// Opens a new value over one store.
pub type Open<P> = Box<dyn Fn() -> Box<P>>;

/// Makes a fresh store.
pub type Fresh<'make, P> = &'make mut dyn FnMut() -> Open<P>;

pub(super) type Case<P> = (&'static str, fn(&dyn Fn() -> Box<P>));

#[expect(
    clippy::print_stdout,
    reason = "the name of the promise stands above the panic that broke it"
)]
pub(super) fn run<P: ?Sized>(port: &str, cases: &[Case<P>], fresh: Fresh<'_, P>) {
    for (name, case) in cases {
        println!("{port} contract: {name}");
        case(&*fresh());
    }
}

/// The kind of the error that a call must end with.
pub(super) fn kind_of<T, E: Into<Failed>>(result: Result<T, E>) -> FaultKind {
    failed(result).kind()
}
