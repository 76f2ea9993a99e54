"""Find combs without knowing the generator."""
