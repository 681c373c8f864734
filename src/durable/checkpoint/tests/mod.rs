//! Tests of parts and manifests.
