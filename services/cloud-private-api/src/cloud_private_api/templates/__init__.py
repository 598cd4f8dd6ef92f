"""Administration of operation templates and localised texts for the app."""
