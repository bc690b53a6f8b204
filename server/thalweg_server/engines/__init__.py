"""What runs candidates, behind the `Engine` port."""
