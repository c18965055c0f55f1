"""Vocabulary and word vectors, fitted on what may be fitted on."""
