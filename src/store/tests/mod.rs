//! What can only be shown from inside: a statement that fails, a disk that is full, a step that is added.
