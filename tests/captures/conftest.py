"""Without the extra `captures` (it needs a C++ compiler when it is installed) there is nothing here to test."""

import importlib.util

if importlib.util.find_spec("pdqhash") is None:
    collect_ignore_glob = ["test_*.py"]
