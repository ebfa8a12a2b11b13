"""How good a result is: measures, the run over a video, intervals, the report."""
