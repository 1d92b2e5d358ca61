"""Studies: code captures by a codebook, settle what coders disagree on, publish tables that give nobody away."""
