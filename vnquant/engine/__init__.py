"""Engine: the orchestrator that scans, discusses and trades on paper in the background."""
