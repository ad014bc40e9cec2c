using MixedPrecision.Formats;
using MixedPrecision.Pipeline;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Structures that an earlier run found.</summary>
public class FoundStructuresTests
{
    [Fact]
    public void AreThoseOfTheModelAndWrittenAlike()
    {
        using Workspace finding = Workspace.Open(RepositoryRoot.Path("samples/DocArea/model.onnx"), "model.onnx"), taking = Workspace.Open(RepositoryRoot.Path("samples/DocArea/model.onnx"), "model.onnx");
        List<List<StructureFinding>> found = finding.FindStructures();
        taking.TakeStructures(StageRunner.Deserialize<List<List<StructureFinding>>>(StageRunner.Serialize(found)));

        FoundStructure[] all = [.. finding.Partition.Subgraphs.SelectMany(finding.StructuresOf)], taken = [.. taking.Partition.Subgraphs.SelectMany(taking.StructuresOf)];
        Assert.Equal(all.Select(s => s.Structure), taken.Select(s => s.Structure));
        Assert.Equal(all.SelectMany(s => s.Match.Fixed), taken.SelectMany(s => s.Match.Fixed));
        Assert.Equal(all.SelectMany(s => s.Match.Outputs), taken.SelectMany(s => s.Match.Outputs));
        Assert.Equal(all.SelectMany(s => s.Match.Kernels).Select(k => k.ToString()), taken.SelectMany(s => s.Match.Kernels).Select(k => k.ToString()));
        string[] names = [.. all.Select(s => s.Structure.Name).Distinct()];
        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.Equal(Written(finding, name), Written(taking, name)));
    }

    /// <summary>The model with one structure wherever it is possible.</summary>
    private static byte[] Written(Workspace workspace, string structure)
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        using var preparations = new Preparations();
        try
        {
            return File.ReadAllBytes(Emission.Draft(
                workspace,
                [.. workspace.Partition.Subgraphs.Select(s => workspace.StructuresOf(s).FirstOrDefault(f => f.Structure.Name == structure)?.Bare(s, NumberFormats.Baseline.Name)
                    ?? Configuration.Exported([.. s.Layers.Select(_ => NumberFormats.Baseline.Name)]))],
                folder, "model.onnx", preparations).Path);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
