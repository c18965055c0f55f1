"""Users and images laid out in the plane."""
