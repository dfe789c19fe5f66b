"""How trained networks become shipped ones: `python -m release.ship` for the files, `python -m release.results` for what is said of them."""
