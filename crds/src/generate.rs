//! Everything in the tree that is generated from the types: the CRD manifests and the reference pages.

/// Every generated file: its path from the root of the repository, and its content.
pub fn generated() -> Vec<(String, String)> {
    todo!()
}
