//! pin_budget
