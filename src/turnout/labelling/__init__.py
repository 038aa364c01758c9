"""From plain logs to labelled ones: each prompt asked of both tiers, the answers judged, the rows written."""
