"""`thalweg demo`: a real server learns real sales while you watch."""
