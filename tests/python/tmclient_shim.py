"""Lets tmclient 0.3.3 run on Python 3.11 and newer; `.ci/setup` puts it into the tests' environment.

The client uses two names that Python and pandas have removed: `pandas.io.common.EmptyDataError` and
`inspect.getargspec`. They are given back when tmclient is imported, and only then.
"""

import sys


class BeforeTmclient:
    """Sees every import before it happens and finds nothing itself."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "tmclient":
            sys.meta_path.remove(BeforeTmclient)
            import inspect

            import pandas.errors
            import pandas.io.common

            pandas.io.common.EmptyDataError = pandas.errors.EmptyDataError
            inspect.getargspec = inspect.getfullargspec
        return None


sys.meta_path.insert(0, BeforeTmclient)
