"""The examination behind `vigencia doctor`: each part is looked at, none is changed."""
