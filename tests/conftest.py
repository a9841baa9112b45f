"""Every test: virtual time where asked for, and no task left behind (see `vnquant.runtime.testing`)."""

pytest_plugins = ("pytester", "vnquant.runtime.testing")
