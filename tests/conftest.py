"""Every test: virtual time and PostgreSQL where asked for, and no task left behind."""

pytest_plugins = ("pytester", "vnquant.runtime.testing", "tests.integration.postgres")
