import Commands

LianfenTool.main()
