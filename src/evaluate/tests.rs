//! What the stage promises, as properties over whole partitions.
