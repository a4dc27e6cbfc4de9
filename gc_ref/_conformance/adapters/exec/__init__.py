"""Programs in any language, driven through lines of JSON."""
