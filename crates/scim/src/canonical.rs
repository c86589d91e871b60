//! Values in canonical form.
