//! What is done with the keys of a node that is set up: shown, rotated, forgotten, given a backup
//! password.

mod forget;
mod password;
mod rotate;
mod sealed_node;
mod show;

pub use forget::{Forget, forget, to_forget};
pub use password::{may_use_password, set, store as store_password, verify};
pub use rotate::{Rotation, rotate};
pub use show::show;
