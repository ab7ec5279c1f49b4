//! reference_faults
