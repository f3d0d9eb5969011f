//! Pure: customers, products, layers, schema, policy, stacks.
