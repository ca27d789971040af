//! Stories from one side's view.
