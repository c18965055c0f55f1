"""Where posts come from: each gives rows and pictures as `pipeline.corpus.rows.Source` has them."""
