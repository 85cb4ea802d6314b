//! The Python module `watertight`.
