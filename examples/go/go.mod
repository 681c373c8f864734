module masstree

go 1.19
