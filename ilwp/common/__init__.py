"""What every room uses: errors, paths, files, locks, progress, tensor files, bytes."""
