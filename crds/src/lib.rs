//! API types of mailwright.dev: kinds, schema, defaults, CEL rules, conditions.
