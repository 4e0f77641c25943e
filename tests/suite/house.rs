//! What holds for the whole project.

mod install;
