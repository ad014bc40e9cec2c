using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace MixedPrecision.EndToEnd.Tests.Packages;

/// <summary>One library that the tool's packages carry.</summary>
/// <param name="Name">Its name; that of a NuGet package as the tool's dependencies have it, or of a part of one.</param>
/// <param name="Package">The NuGet package that it is from.</param>
/// <param name="License">SPDX expression.</param>
/// <param name="Copyright">Its line of copyright.</param>
/// <param name="Text">Name of the license's text in <c>Licenses</c>, or null: what <paramref name="More"/> says is all that is needed.</param>
/// <param name="Files">Pattern of its files, by name, on all hosts.</param>
/// <param name="More">What is to be said besides: where sources are, what is compiled in.</param>
internal sealed record Component(string Name, string Package, string License, string Copyright, string? Text, string Files, string More = "")
{
    public bool Covers(string file) => Regex.IsMatch(file, $"^(?:{Files})$");
}

/// <summary>The notices of third parties, made from this table, from versions that the tool's dependencies have, and from the texts of licenses beside this file.</summary>
internal static class Notices
{
    /// <summary>Files of the tool that are not of others.</summary>
    public static readonly string[] OwnFiles = ["DotnetToolSettings.xml", "MixedPrecision.dll", "errors.md", "mixed-precision.deps.json", "mixed-precision.dll", "mixed-precision.runtimeconfig.json"];

    private const string OrTools = "Google.OrTools";
    private const string Source = "Its source is available under this license, whose text is at https://www.eclipse.org/legal/epl-2.0/, from https://github.com/coin-or/";

    public static readonly Component[] Components =
    [
        new("Google.OrTools", OrTools, "Apache-2.0", "Copyright 2010-2025 Google LLC", "Apache-2.0", @"Google\.OrTools\.dll|google-ortools-native\..*|(lib)?ortools\..*",
            "Compiled in: Eigen (MPL-2.0; its source is available under that license, https://www.mozilla.org/MPL/2.0/, from https://gitlab.com/libeigen/eigen)."),
        new("SCIP", OrTools, "Apache-2.0", "Copyright (c) 2002-2025 Zuse Institute Berlin (ZIB)", "Apache-2.0", @"libscip\..*",
            "Compiled in: SoPlex (Apache-2.0, Copyright (c) 1996-2025 Zuse Institute Berlin (ZIB)), Boost (BSL-1.0)."),
        new("HiGHS", OrTools, "MIT", "Copyright (c) 2025 HiGHS", "MIT", @"(lib)?highs\..*",
            "Compiled in: pdqsort (Zlib, Copyright (c) 2021 Orson Peters), METIS (Apache-2.0, Copyright 1995-2013, Regents of the University of Minnesota), AMD (BSD-3-Clause, Copyright (c) 1996-2022, Timothy A. Davis, Patrick R. Amestoy, Iain S. Duff)."),
        new("Cbc", OrTools, "EPL-2.0", "Copyright (C) 2000-2024, International Business Machines Corporation and others", null, @"lib(Cbc|CbcSolver|OsiCbc)\..*", Source + "Cbc."),
        new("Cgl", OrTools, "EPL-2.0", "Copyright (C) 2000-2024, International Business Machines Corporation and others", null, @"libCgl\..*", Source + "Cgl."),
        new("Clp", OrTools, "EPL-2.0", "Copyright (C) 2000-2024, International Business Machines Corporation and others", null, @"lib(Clp|ClpSolver|OsiClp)\..*", Source + "Clp."),
        new("CoinUtils", OrTools, "EPL-2.0", "Copyright (C) 2000-2024, International Business Machines Corporation and others", null, @"libCoinUtils\..*", Source + "CoinUtils."),
        new("Osi", OrTools, "EPL-2.0", "Copyright (C) 2000-2024, International Business Machines Corporation and others", null, @"libOsi\..*", Source + "Osi."),
        new("Abseil", OrTools, "Apache-2.0", "Copyright The Abseil Authors", "Apache-2.0", @"libabsl_.*|abseil_dll\.dll"),
        new("Protocol Buffers", OrTools, "BSD-3-Clause", "Copyright 2008 Google Inc. All rights reserved.", "BSD-3-Clause", @"libprotobuf\..*|libutf8_validity\..*",
            "Compiled in: utf8_range (MIT, Copyright (c) 2019 Yibo Cai, Copyright 2022 Google LLC)."),
        new("RE2", OrTools, "BSD-3-Clause", "Copyright (c) 2009 The RE2 Authors. All rights reserved.", "BSD-3-Clause", @"(lib)?re2\..*"),
        new("bzip2", OrTools, "bzip2-1.0.6", "Copyright (C) 1996-2019 Julian R Seward", "bzip2", @"(lib)?bz2\..*"),
        new("zlib", OrTools, "Zlib", "Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler", "Zlib", @"libz\..*|zlib1\.dll"),
        new("Google.Protobuf", "Google.Protobuf", "BSD-3-Clause", "Copyright 2008 Google Inc. All rights reserved.", "BSD-3-Clause", @"Google\.Protobuf\.dll"),
        new("Microsoft.ML.OnnxRuntime", "Microsoft.ML.OnnxRuntime", "MIT", "Copyright (c) Microsoft Corporation", "MIT", @"Microsoft\.ML\.OnnxRuntime\.dll|(lib)?onnxruntime(_providers_shared)?\.(so|dll|dylib)",
            "What is compiled in stands in notices/onnxruntime.txt of this package."),
        new("Microsoft.ML.Tokenizers", "Microsoft.ML.Tokenizers", "MIT", "Copyright (c) .NET Foundation and Contributors", "MIT", @"Microsoft\.ML\.Tokenizers\.dll"),
        new("OxyPlot.Core", "OxyPlot.Core", "MIT", "Copyright (c) 2014 OxyPlot contributors", "MIT", @"OxyPlot\.dll"),
        new("Spectre.Console", "Spectre.Console", "MIT", "Copyright (c) 2020 Patrik Svensson, Phil Scott, Nils Andresen, Cédric Luthi", "MIT", @"Spectre\.Console(\.Ansi)?\.dll"),
        new("StbImageSharp", "StbImageSharp", "Unlicense OR MIT", "Copyright (c) StbImageSharpTeam; Copyright (c) 2017 Sean Barrett", "MIT", @"StbImageSharp\.dll"),
        new("System.CommandLine", "System.CommandLine", "MIT", "Copyright (c) .NET Foundation and Contributors", "MIT", @"System\.CommandLine\.dll"),
        new("System.Numerics.Tensors", "System.Numerics.Tensors", "MIT", "Copyright (c) .NET Foundation and Contributors", "MIT", @"System\.Numerics\.Tensors\.dll"),
        new("YamlDotNet", "YamlDotNet", "MIT", "Copyright (c) 2008-2025 Antoine Aubry and contributors", "MIT", @"YamlDotNet\.dll"),
    ];

    private static readonly Lazy<Dictionary<string, string>> Versions = new(ReadVersions);

    /// <summary>Version of a NuGet package as the tool has it.</summary>
    public static string VersionOf(string package) => Versions.Value[package];

    /// <summary>NuGet's folder of packages.</summary>
    public static string PackagesFolder => Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } set
        ? set
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    public static string Text()
    {
        var text = new StringBuilder("Third-party notices\n\nThe packages MixedPrecision.Cli.HOST carry these libraries, of which each host has those that it needs. Texts of licenses follow the list.\n");
        foreach (Component component in Components)
        {
            string from = component.Name == component.Package ? "" : $", from {component.Package}";
            text.Append($"\n{component.Name}{from} {VersionOf(component.Package)}\n{component.Copyright}\nLicense: {component.License}\n{(component.More.Length > 0 ? component.More + "\n" : "")}");
        }

        foreach (string license in Components.Select(component => component.Text).OfType<string>().Distinct())
        {
            string names = string.Join(", ", Components.Where(component => component.Text == license).Select(component => component.Name));
            text.Append($"\n{new string('-', 80)}\n{license}: {names}\n\n{File.ReadAllText(Repository.Path($"tests/MixedPrecision.EndToEnd.Tests/Packages/Licenses/{license}.txt")).ReplaceLineEndings("\n").Trim('\n')}\n");
        }

        return text.ToString();
    }

    private static Dictionary<string, string> ReadVersions()
    {
        using JsonDocument dependencies = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "mixed-precision.deps.json")));
        return dependencies.RootElement.GetProperty("libraries").EnumerateObject().Where(library => library.Value.GetProperty("type").GetString() == "package")
            .Select(library => library.Name.Split('/')).ToDictionary(name => name[0], name => name[1]);
    }
}
