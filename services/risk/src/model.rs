//! The model: features, trees, calibration, and exact contributions.
