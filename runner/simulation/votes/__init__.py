"""People of the bookshop who compare answers, for trying the whole way from a vote to a data set."""
