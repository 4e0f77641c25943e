//! One throwaway cluster a run, one database a test.
