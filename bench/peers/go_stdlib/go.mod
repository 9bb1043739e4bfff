module go_stdlib

go 1.19
