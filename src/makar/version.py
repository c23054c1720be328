"""The version of this Makar, as it is written into manifests and cards."""

VERSION = "0.1.0"
