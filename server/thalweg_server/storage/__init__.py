"""Where events go, behind the `Store` port."""
