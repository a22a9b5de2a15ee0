"""What is written down: records, digests, and the folder that keeps them."""
